//! Text and binary fields: how the bytes of a file become a string and back.
