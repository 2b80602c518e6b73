// One question a line in, one answer a line out: may this principal do this, as AWS evaluates policies?
// A question is a `Simulation` of @cloud-copilot/iam-simulate; an answer is {"result": ...} or {"error": ...}.
import readline from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

for await (const line of readline.createInterface({ input: process.stdin })) {
  let answer
  try {
    const { overallResult, errors } = await runSimulation(JSON.parse(line), {})
    answer = errors ? { error: JSON.stringify(errors).slice(0, 1000) } : { result: overallResult }
  } catch (error) {
    answer = { error: String(error).slice(0, 1000) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
