"""Pictures on disk become batches: finding, dividing, decoding, storing, augmenting and loading them.

It knows nothing of networks or tasks. In the order in which a picture goes through it:

- `layouts` tells what kind of data set lies at a path, and each kind has a module there that makes a `sources.Source`
  of it; `annotations` reads files of boxes and outlines, `containers` the pictures in archives and shards, `files`
  those of folders, and keeps what the cache has;
- `collecting` gives each picture its content's digest and its label (`labels`, `masks`), and `division` says which
  pictures train, choose and test; copies, which `duplicates` finds, stay together;
- `decoding` opens a picture, the one road for every verb, and `decoded` keeps it;
- `loading` makes batches, in an order and with an `augmentation` that depend on seed, epoch and sample alone.

Beside that road, `doctor` examines a data set, `drawing` shows it, and `inputs` are pictures without labels.
"""
