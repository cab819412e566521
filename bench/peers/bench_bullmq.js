// BullMQ: a flow, which is a tree. A stage with several dependents is left out if it comes after nothing; other graphs cannot be expressed.
'use strict'
const { fork } = require('child_process')
const { readFileSync } = require('fs')
const { join, dirname } = require('path')

const bullmq = require('bullmq')
const [, , first, file] = process.argv

function connection (url) {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null }
}

function tree (stages) {
  const byName = new Map(stages.map(s => [s.name, s]))
  const dependents = new Map()
  for (const s of stages) for (const a of s.after || []) dependents.set(a, (dependents.get(a) || 0) + 1)
  const build = s => ({
    name: s.name,
    queueName: 'bench',
    children: (s.after || []).map(a => byName.get(a)).filter(child => {
      if (dependents.get(child.name) === 1) return true
      if (child.after) throw new Error(`${child.name} has several dependents`)
      return false
    }).map(build)
  })
  return build(stages[stages.length - 1])
}

async function main () {
  const options = { connection: connection(first) }
  const root = tree(JSON.parse(readFileSync(file)).stages)
  const events = new bullmq.QueueEvents('bench', options)
  const flow = new bullmq.FlowProducer(options)
  await events.waitUntilReady()
  const workers = [0, 1].map(() => fork(__filename, [first], { stdio: 'ignore' }))
  process.on('SIGTERM', () => process.exit(1))
  process.on('exit', () => workers.forEach(w => w.kill('SIGKILL')))
  const finish = async tree => (await flow.add(tree)).job.waitUntilFinished(events)
  for (let i = 0; i < 20; i++) await finish({ name: 'warm', queueName: 'bench' })
  const begin = process.hrtime.bigint()
  await finish(root)
  console.log(Number(process.hrtime.bigint() - begin) / 1e9)
  process.exit()
}

if (first === 'version') {
  console.log(require(join(dirname(require.resolve('bullmq')), '..', '..', 'package.json')).version)
} else if (file) {
  main().catch(err => { console.error(err); process.exit(1) })
} else {
  new bullmq.Worker('bench', async () => {}, { connection: connection(first), concurrency: 10 }) // eslint-disable-line no-new
}
