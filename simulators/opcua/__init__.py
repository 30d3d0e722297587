"""An OPC UA server of a plant file: its tree, values, answers, subscriptions, access; through asyncua."""
