"""What goes on from a result file with its data and its network: `again` makes them, the others repeat, check and analyse.

replay        one training again, compared bit for bit
verify        whether what the file says is true: by the file (claims), by its networks (evaluated), by some trainings again
instability   ends of trainings in another order, and the error between them (trains; keeps what it found in the file)
supermask     accuracies of masks on weights that were never trained (evaluates)
"""
