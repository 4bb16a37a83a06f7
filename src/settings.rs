//! What the command line means: flags, environment, files, credentials.
