"""The back end for CPUs: operations become rows of tables, which one compiled function walks through, in one parallel region.

`arena` is the memory, `table` writes operations down with addresses in it, a table for each thread; `walk` is the compiled
function, `step` puts both behind the methods that `tt.compile` uses, and `pace` finds out how many threads are quickest at the
time.
"""
