//! Names that people give their columns, without case and without what stands between words: those
//! of published sets, of recommender libraries and of graph programs.

/// The user who rates.
pub(crate) const USER: &str = "\
    user users userid uid useridx userindex userno usernum userkey username member memberid \
    customer customerid reviewer reviewerid viewer viewerid reader readerid listener \
    listenerid visitorid steamid playerid profileid accountid raterid rater";

/// A user of a list of them.
pub(crate) const LISTED: &str = "\
    id ids user users userid uid useridx userindex userno usernum userkey username member memberid \
    customer customerid reviewer reviewerid viewer viewerid reader readerid listener \
    listenerid visitorid steamid playerid profileid accountid raterid rater";

/// What is rated.
pub(crate) const ITEM: &str = "\
    item items itemid iid itemidx itemindex itemno movie movieid film filmid book bookid \
    isbn product productid asin business businessid artist artistid song songid track \
    trackid game gameid appid anime animeid recipe recipeid joke jokeid beer beerid \
    beerbeerid article articleid news newsid venue venueid poi poiid location locationid \
    place placeid restaurant restaurantid hotel hotelid course courseid video videoid show \
    showid sku gmapid";

/// The rating, or how often.
pub(crate) const RATING: &str = "\
    rating ratings rate score scores stars star overall grade preference bookrating \
    userrating itemrating movierating ratingvalue ratingscore reviewscore reviewoverall \
    overallrating starrating weight value count counts playcount plays listencount listens \
    quantity purchases frequency freq";

/// When.
pub(crate) const TIMESTAMP: &str = "\
    timestamp timestamps ts time unixtime unixtimestamp unixreviewtime ratingtimestamp \
    datetime reviewtimestamp timestampms";

/// Who trusts or follows.
pub(crate) const TRUSTER: &str = "\
    truster trusterid trustor trustorid trusting follower followerid source sourceid \
    sourcenode sourceuser sourceuserid src srcid from fromid fromnode fromnodeid fromuser \
    fromuserid user userid uid user1 user1id userid1 uid1 usera userida node1 node1id \
    nodeid1 id1 ida myid ego sourceuseridx";

/// Who is trusted or followed.
pub(crate) const TRUSTEE: &str = "\
    trustee trusteeid trusted followee followeeid followed followedid target targetid \
    targetnode targetuser targetuserid dst dstid dest destination to toid tonode tonodeid \
    touser touserid friend friendid user2 user2id userid2 uid2 userb useridb node2 node2id \
    nodeid2 id2 idb otherid alter targetuseridx";

/// All who are trusted.
pub(crate) const FRIENDS: &str = "\
    friends friendslist friendlist friendids following followees trusts trustees neighbors \
    neighbours adjacency contacts";

/// How much.
pub(crate) const WEIGHT: &str = "\
    weight weights trust trustvalue trustweight value sign rating score strength edgeweight \
    linkweight";
