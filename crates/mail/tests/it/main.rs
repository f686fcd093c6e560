//! Sessions driven as real shells drive them: cut anywhere, mutated, over sockets, by other people's programs.
