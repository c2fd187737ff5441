"""Files that hold many pictures: archives, packs of the cache, tar shards; each picture is read where it lies."""
