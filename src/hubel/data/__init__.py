"""Pictures on disk become batches: finding, dividing, decoding, storing, augmenting and loading them.

It knows nothing of networks or tasks. In the order in which a picture goes through it:

- `layouts` tells what kind of data set lies at a path, and each kind is a file or a folder (`class_folders`,
  `manifest`, `shards`, `hugging_face`, `annotated_layouts`, ...) that makes a `sources.Source` of it;
- `collecting` gives each picture its content's digest and its label (`labels`, `masks`), and `splits` divides them:
  `units` are what must not come apart, `division` deals them out;
- `decoding` opens a picture, the one road for every verb, and `store` keeps it decoded;
- `loading` makes batches, in an `order` and with an `augmentation` that depend on seed, epoch and sample alone.

Beside that road, `doctor` examines a data set, and what was found out about files is `remembered`.
"""
