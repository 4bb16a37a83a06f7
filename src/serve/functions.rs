//! JavaScript of design documents, in QuickJS, within limits of time and memory.
