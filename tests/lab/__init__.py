"""A telephone network on one machine: the box's uplinks, three ISPs, a provider and far ends, all real."""
