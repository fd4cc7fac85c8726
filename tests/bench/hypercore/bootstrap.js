// bootstrap.js ADDRESS PORT - the first nodes of a DHT of its own. Announcements need more than one.
import DHT from 'hyperdht'

const NODES = 4
const [host, port] = [process.argv[2], Number(process.argv[3])]
const bootstrap = []
for (let i = 0; i < NODES; i++) {
  const node = new DHT({ host, port: port + i, bootstrap, ephemeral: false, firewalled: false })
  await node.fullyBootstrapped()
  if (i === 0) bootstrap.push({ host, port })
}
console.log('ready')
