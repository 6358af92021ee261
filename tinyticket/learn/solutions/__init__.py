"""The solved exercises; `# hole: ...` to `# end` is what learners write, and what stands behind the colon is what they are told."""
