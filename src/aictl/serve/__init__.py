"""A model behind an HTTP API that speaks OpenAI's words.

service.py     the life of a server: listen, load, say where, serve, drain
web.py         the routes, and who may use them
endpoints.py   one completion from its request to its answer
requests.py    what may be asked for          replies.py   how it is answered
admission.py   how many at once               refusal.py   how it is refused
generation.py  a text from a worker thread    metrics.py   what is counted
"""
