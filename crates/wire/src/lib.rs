//! The protocol buffers of the conversation and their native forms.
