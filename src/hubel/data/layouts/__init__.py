"""Which kind of data set lies at a path (`finding`), and each kind: a file or a folder that makes a `Source` of it."""
