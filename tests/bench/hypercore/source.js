// source.js BOOTSTRAP FOLDER - appends each frame of standard input (4 bytes of length, then the frame) to a
// live log and serves it. Prints "link KEY" once it is announced.
import Hypercore from 'hypercore'
import Hyperswarm from 'hyperswarm'

const [host, port] = process.argv[2].split(':')
const core = new Hypercore(process.argv[3])
await core.ready()
const swarm = new Hyperswarm({ bootstrap: [{ host, port: Number(port) }] })
swarm.on('connection', (connection) => core.replicate(connection))
const topic = swarm.join(core.discoveryKey, { server: true, client: false })
await topic.flushed()
console.log('link', core.key.toString('hex'))

let rest = Buffer.alloc(0)
for await (const data of process.stdin) {
  rest = Buffer.concat([rest, data])
  while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
    const end = 4 + rest.readUInt32BE(0)
    await core.append(rest.subarray(4, end))
    rest = rest.subarray(end)
  }
}
