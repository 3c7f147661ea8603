"""The sales call as an explicit LangGraph state graph, its sessions and its records."""
