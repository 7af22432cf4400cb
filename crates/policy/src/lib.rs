//! Whether to take it: facts, rules, judgement.
