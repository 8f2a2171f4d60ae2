"""The faulty relative of the sample worker; a sound worker never imports it.

    python3 -m poolproof_worker.faults --fault reply_late --at request=1 --delay-ms 300

Every fault has the name, the parameters, the moment and the bytes that it has in the C++ worker:
the table stands in catalogue.py, what they do in one file per family, and when they do it in
server.py.
"""
