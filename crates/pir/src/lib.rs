//! Private retrieval of ciphertexts: query, expand, respond, extract.
