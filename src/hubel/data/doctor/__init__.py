"""The doctor: what is wrong with a data set, found before training and not after.

`examination` opens every picture and finds copies, `findings` says what a finding is, the modules of checks draw them,
`cleaning` writes a manifest without what is wrong, `page` a page to look at.
"""
