"""A proving ground for photographs: the shipped workflow with known parts in place of the nets.

`art` gives cut-outs, `scenes` and `kinds` compose pictures with full ground truth, `stage` knows
what every crop of a run shows, `segmenter`, `painter` and `order` stand in for the nets, `runner`
runs a scene through the host, `table` reports. README.md in research/ has the command.
"""
