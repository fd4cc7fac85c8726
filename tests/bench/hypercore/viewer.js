// viewer.js BOOTSTRAP FOLDER KEY - follows the log from its end on, serves what it has to others, and writes
// each block to standard output once it is there.
import Hypercore from 'hypercore'
import Hyperswarm from 'hyperswarm'

const [host, port] = process.argv[2].split(':')
const core = new Hypercore(process.argv[3], Buffer.from(process.argv[4], 'hex'))
await core.ready()
const swarm = new Hyperswarm({ bootstrap: [{ host, port: Number(port) }] })
swarm.on('connection', (connection) => core.replicate(connection))
const finding = core.findingPeers()
swarm.join(core.discoveryKey, { server: true, client: true })
swarm.flush().then(finding, finding)
await core.update({ wait: true })

// All that is new is asked for as soon as it is announced, not block by block.
let next = Math.max(core.length - 1, 0)
core.download({ start: next, end: -1, linear: true })
for (; ; next++) process.stdout.write(await core.get(next))
