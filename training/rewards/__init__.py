"""Rewards: what a completion of the agent is worth, part by part, in TRL's signature."""
