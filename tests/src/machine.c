/* Between a daemon and its system: a wall clock that the test moves, and a disk below one
 * directory that refuses what the test says. Loaded with LD_PRELOAD; what it does is read from a
 * mapped file of two numbers, seconds and an errno, so that the test changes it while it runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *told;
static const char *below;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("S3REC_TEST_MACHINE");
    below = getenv("S3REC_TEST_DISK");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return;
    void *mapped = mmap(0, 16, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) told = mapped;
}

#define NEXT(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t clock, struct timespec *time) {
    int done = syscall(SYS_clock_gettime, clock, time);
    if (done == 0 && told && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += told[0];
    return done;
}

static int is_below(const char *path) {
    return below && path && strncmp(path, below, strlen(below)) == 0;
}

/* The errno for a change of `path`, of what `directory` and `path` name, or of what is open. */
static int refuses(const char *path) {
    return told && told[1] && is_below(path) ? (int)told[1] : 0;
}

static int refuses_open(int file) {
    char link[64], path[4096];
    if (!told || !told[1]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return refuses(path);
}

static int refuses_at(int directory, const char *path) {
    if (path && path[0] == '/') return refuses(path);
    return directory == AT_FDCWD ? 0 : refuses_open(directory);
}

#define REFUSE(why) do { int error = why; if (error) { errno = error; return -1; } } while (0)
/* A full disk still lets what is there be renamed and removed. */
#define REFUSE_READ_ONLY(why) do { int error = why; if (error == EROFS) { errno = error; return -1; } } while (0)

ssize_t write(int file, const void *bytes, size_t length) {
    REFUSE(refuses_open(file));
    return NEXT(write)(file, bytes, length);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    REFUSE(refuses_open(file));
    return NEXT(pwrite64)(file, bytes, length, at);
}

int ftruncate64(int file, off64_t length) {
    struct stat is;
    int grows = fstat(file, &is) != 0 || length > is.st_size;
    int error = refuses_open(file);
    if (error == EROFS || (error && grows)) { errno = error; return -1; }
    return NEXT(ftruncate64)(file, length);
}

int fsync(int file) { REFUSE_READ_ONLY(refuses_open(file)); return NEXT(fsync)(file); }
int fdatasync(int file) { REFUSE_READ_ONLY(refuses_open(file)); return NEXT(fdatasync)(file); }

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    int error = refuses(path);
    int writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT;
    if (error == EROFS && writes) { errno = error; return -1; }
    if (error && flags & O_CREAT && access(path, F_OK) != 0) { errno = error; return -1; }
    return NEXT(open64)(path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    /* One that is there is there on any disk. */
    if (access(path, F_OK) != 0) REFUSE(refuses(path));
    return NEXT(mkdir)(path, mode);
}

/* S3REC_TEST_DEATH="3 before /name": as from kill -9, before or behind the third time that a file
 * is put in the place of one whose path ends in /name. */
static void die_at(const char *to, const char *when) {
    static int passed;
    const char *told_death = getenv("S3REC_TEST_DEATH");
    char moment[8], name[64];
    int at;
    if (!told_death || sscanf(told_death, "%d %7s %63s", &at, moment, name) != 3) return;
    size_t length = strlen(to), end = strlen(name);
    if (length < end || strcmp(to + length - end, name) != 0) return;
    if (strcmp(when, "before") == 0) __atomic_add_fetch(&passed, 1, __ATOMIC_SEQ_CST);
    if (passed == at && strcmp(when, moment) == 0) kill(getpid(), SIGKILL);
}

int rename(const char *from, const char *to) {
    REFUSE_READ_ONLY(refuses(to));
    die_at(to, "before");
    int done = NEXT(rename)(from, to);
    die_at(to, "behind");
    return done;
}

int unlink(const char *path) { REFUSE_READ_ONLY(refuses(path)); return NEXT(unlink)(path); }
int rmdir(const char *path) { REFUSE_READ_ONLY(refuses(path)); return NEXT(rmdir)(path); }

int unlinkat(int directory, const char *path, int flags) {
    REFUSE_READ_ONLY(refuses_at(directory, path));
    return NEXT(unlinkat)(directory, path, flags);
}

int linkat(int from, const char *path, int to, const char *new_path, int flags) {
    REFUSE(refuses_at(to, new_path));
    return NEXT(linkat)(from, path, to, new_path, flags);
}

int chmod(const char *path, mode_t mode) { REFUSE_READ_ONLY(refuses(path)); return NEXT(chmod)(path, mode); }
