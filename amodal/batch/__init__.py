"""The batch: tasks go to interchangeable workers, and every result is written down once.

    engine.py     tasks to workers, with the rules for what fails
    crews.py      workers: this process, local processes, threads (one for each server)
    ray_crew.py   workers: Ray actors, on one machine or a cluster
    driver.py     a whole batch, from the source to the journal
    lines.py      one file of JSON lines: lock, repair, synced to disk
    journal.py    the journal of a batch in a folder or a bucket, in segments
    manifest.py   Parquet parts made of the journal's segments; one reader for both
    places.py     a local folder, or one that pyarrow's file systems reach
    items.py      what is to be completed, and its key
    source.py     items of a folder, a glob or a manifest
    results.py    the files of one item
    finished.py   which keys are done, in little memory
    faults.py     what goes wrong in a worker, as data
    report.py     progress and summary
    worst.py      a contact sheet of the worst results

It knows nothing of ComfyUI: `amodal/app/batch.py` hands it the function that completes an item.
"""
