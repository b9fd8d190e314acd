import type { Check } from '../check.ts'
import type { Server } from '../server.ts'
import {
  type Bytes,
  begin,
  bytes,
  length,
  type Pair,
  pair,
  pairs,
  record,
  stream,
  TYPES,
} from '../wire/bytes.ts'
import type { Connection } from '../wire/connection.ts'

const hex = (content: Bytes): string => bytes(content).toString('hex')

/** Section 3.4: name-value pairs, as the app sees them in its params. */
export const NAME_VALUES: readonly Check[] = [
  {
    id: 'pairs/length-forms',
    section: '3.4',
    level: 'must',
    requirement: 'Lengths below 128 are read in one byte and in four, in any combination.',
    async run(server) {
      const forms = [1, 4] as const
      const block = forms.flatMap((nameForm) =>
        forms.map((valueForm) => pair(`CONFORMANCE_${nameForm}${valueForm}`, 'value', nameForm, valueForm)),
      )
      const wanted = forms.flatMap((a) => forms.map((b): Pair => [`CONFORMANCE_${a}${b}`, 'value']))
      await expectParams(server, bytes(...block), wanted)
    },
  },
  {
    id: 'pairs/sizes',
    section: '3.4',
    level: 'must',
    requirement: 'Values of 0, 127, 128, 65535 and 65536 bytes arrive whole.',
    async run(server) {
      const wanted = [0, 127, 128, 65_535, 65_536].map(
        (size): Pair => [`CONFORMANCE_${size}`, 'v'.repeat(size)],
      )
      await expectParams(server, pairs(wanted), wanted)
    },
  },
  {
    id: 'pairs/many',
    section: '3.4',
    level: 'must',
    requirement: '500 params arrive.',
    async run(server) {
      const wanted = Array.from({ length: 500 }, (_, i): Pair => [`CONFORMANCE_${i}`, `value ${i}`])
      await expectParams(server, pairs(wanted), wanted)
    },
  },
  {
    id: 'pairs/empty',
    section: '3.4',
    level: 'must',
    requirement: 'An empty name, an empty value, and both are read: the pairs behind them are right.',
    async run(server) {
      const wanted: Pair[] = [
        ['CONFORMANCE_EMPTY', ''],
        ['CONFORMANCE_NEXT', 'here'],
      ]
      await expectParams(server, bytes(pair('', 'value'), pair('', ''), pairs(wanted)), wanted)
    },
  },
  {
    id: 'pairs/cut-anywhere',
    section: '3.4, Appendix B example 2',
    level: 'must',
    requirement:
      'A pair that is cut between two records, in a length, in its name or in its value, is joined.',
    async run(server) {
      const value = 'v'.repeat(130)
      const block = bytes(pair('CONFORMANCE_LONG', value), pair('CONFORMANCE_SHORT', 'short', 4, 4))
      for (let at = 1; at < block.length; at += at < 24 || at > 145 ? 1 : 25) {
        const connection = await server.connect()
        sendParams(connection, server, [block.subarray(0, at), block.subarray(at)])
        const wanted: Pair[] = [
          ['CONFORMANCE_LONG', value],
          ['CONFORMANCE_SHORT', 'short'],
        ]
        await expectSeen(connection, wanted, `cut behind ${at} bytes`)
        connection.destroy()
      }
    },
  },
  {
    id: 'pairs/byte-by-byte',
    section: '3.4',
    level: 'must',
    requirement: 'PARAMS whose records hold one byte each are the same params.',
    async run(server) {
      const wanted: Pair[] = [['CONFORMANCE_LONG', 'v'.repeat(130)]]
      const connection = await server.connect()
      const block = bytes(pairs(server.params('/params')), pairs(wanted))
      connection.write(
        begin(1),
        stream(TYPES.PARAMS, 1, block, 1),
        record(TYPES.PARAMS, 1),
        record(TYPES.STDIN, 1),
      )
      await expectSeen(connection, wanted)
    },
  },
  {
    id: 'pairs/bytes-kept',
    section: '3.4',
    level: 'must',
    requirement: 'Bytes from 0x80 to 0xFF in a value reach the app as they are.',
    async run(server) {
      const wanted: Pair[] = [['CONFORMANCE_HIGH', Array.from({ length: 128 }, (_, i) => i + 0x80)]]
      await expectParams(server, pairs(wanted), wanted)
    },
  },
  {
    id: 'pairs/names-are-data',
    section: '3.4',
    level: 'should',
    requirement: 'Params named `__proto__`, `constructor` and `toString` are params like others.',
    async run(server) {
      const wanted: Pair[] = [
        ['__proto__', 'polluted'],
        ['constructor', 'value'],
        ['toString', 'text'],
      ]
      await expectParams(server, pairs(wanted), wanted)
    },
  },
  {
    id: 'pairs/nul',
    section: '3.4',
    level: 'should',
    requirement: 'A NUL in a value is kept or refused: the value is never cut there.',
    async run(server) {
      const connection = await server.connect()
      sendParams(connection, server, [pair('CONFORMANCE_NUL', 'a\0b')])
      const answer = await connection.answer(1)
      if (answer.status !== 200) return
      const line = lineOf(answer.body, 'CONFORMANCE_NUL')
      if (line !== hex('a\0b'))
        throw connection.unmet('the value a\\0b, or a refusal', `the value ${line} (hex)`)
    },
  },
  {
    id: 'pairs/too-long',
    section: '3.4',
    level: 'should',
    requirement: 'A pair whose lengths are beyond the end of PARAMS, up to 2^31 - 1, is refused.',
    async run(server) {
      const huge = [0xff, 0xff, 0xff, 0xff]
      await expectRefused(server, [bytes(huge, huge, 'x'), bytes(huge, [1], 'x'), bytes([1], huge, 'x')])
    },
  },
  {
    id: 'pairs/cut-short',
    section: '3.4',
    level: 'should',
    requirement: 'PARAMS that end inside of a pair are refused.',
    async run(server) {
      await expectRefused(server, [
        [4],
        length(200).subarray(0, 2),
        bytes([4, 5], 'NA'),
        bytes([4, 5], 'NAMEval'),
      ])
    },
  },
]

/** Sends a request for `/params` whose PARAMS are the usual ones, and then these blocks, each in records of its own. */
function sendParams(connection: Connection, server: Server, blocks: readonly Bytes[]): void {
  const usual = pairs(server.params('/params'))
  const records = [usual, ...blocks].map((block) => stream(TYPES.PARAMS, 1, block))
  connection.write(begin(1), ...records, record(TYPES.PARAMS, 1), record(TYPES.STDIN, 1))
}

async function expectParams(server: Server, block: Bytes, wanted: readonly Pair[]): Promise<void> {
  const connection = await server.connect()
  sendParams(connection, server, [block])
  await expectSeen(connection, wanted)
}

async function expectSeen(connection: Connection, wanted: readonly Pair[], where = ''): Promise<void> {
  const { body } = await connection.served(1)
  for (const [name, value] of wanted) {
    const line = lineOf(body, name)
    if (line === hex(value)) continue
    const seen = line === undefined ? 'no such param' : line === '' ? 'an empty value' : clip(line)
    throw connection.unmet(`the param ${name} as ${clip(hex(value))}${where && `, ${where}`}`, seen)
  }
}

async function expectRefused(server: Server, contents: readonly Bytes[]): Promise<void> {
  for (const content of contents) {
    const connection = await server.connect()
    sendParams(connection, server, [content])
    const answer = await connection.answer(1).catch((error) => {
      if (!connection.ended) throw error
    })
    if (answer?.status === 200) {
      throw connection.unmet(`an error for PARAMS that end in ${clip(hex(content))}`, 'a 200')
    }
    connection.destroy()
  }
}

/** The value of a param in the answer of `/params`, in hexadecimal. */
function lineOf(body: string, name: Bytes): string | undefined {
  const start = `${hex(name)}=`
  return body
    .split('\n')
    .find((line) => line.startsWith(start))
    ?.slice(start.length)
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 32)}… (${text.length / 2} bytes)` : text
}
