"""simlab: simulated instruments on real SMB.

A research instrument is a control PC that writes files into a folder and shares it over SMB. simlab plays such
PCs on one machine, so that whatever harvests instruments can be tried, tested and measured against the protocol
itself. It knows nothing of the system that harvests it.

- **share**: a local folder served over SMB under a name (`simlab.shares.base.Share`).
- **share server**: a running SMB server with its shares, with one user, on loopback by default
  (`simlab.shares.serve`).
  Its **kind** is the program that serves: `samba` where `smbd` is installed, else `impacket`, pure Python.
- **simulated instrument**: a slug, a name, a place, and the share its files appear in (`simlab.seed`).
- **seed**: the files that each simulated instrument holds from the start.
- **laboratory**: the simulated instruments of the seed, each on a share server of its own, all with the same
  service account (`simlab.laboratory`).
- **host**: one simulated instrument alone, as its control PC would be: with a name of its own in a network, on SMB's
  port (`simlab.host`). For containers.
- **manifest**: a JSON document that describes a laboratory to whoever configures a harvester with it
  (`simlab.manifest`).
- **generator**: writes data into an instrument's folder the way instruments do (`simlab.instruments`).

`python -m simlab serve` runs a laboratory, `python -m simlab host` one instrument of it; `python -m simlab manifest`
describes three such hosts; `python -m simlab produce` makes an instrument write.
"""
