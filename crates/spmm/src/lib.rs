//! Secure dense by sparse products: states, messages, cost model.
