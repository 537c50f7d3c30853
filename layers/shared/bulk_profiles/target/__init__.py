"""Adobe Target's Bulk Profile Update API: calls, answers, and what an answer means."""
