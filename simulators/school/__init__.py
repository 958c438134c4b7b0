"""A virtual school: its site around a real agent, its people and their day, and its walk test."""
