"""Model tiers: who answers the agent's model requests; one tier a file, behind `provider.Provider`."""
