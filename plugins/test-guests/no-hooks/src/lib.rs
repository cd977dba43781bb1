//! Offers nothing. The host must refuse to load it and say which hooks there are.
