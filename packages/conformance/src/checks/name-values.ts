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

/** Section 3.4: name-value pairs, as the app receives them in its params. */
export const NAME_VALUES: readonly Check[] = [
  {
    id: 'pairs/length-forms',
    section: '3.4',
    level: 'must',
    requirement: 'The server decodes lengths below 128 in one byte and in four bytes, in any combination.',
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
    requirement: 'The app receives values of 0, 127, 128, 65535 and 65536 bytes in full.',
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
    requirement: 'The app receives 500 params.',
    async run(server) {
      const wanted = Array.from({ length: 500 }, (_, i): Pair => [`CONFORMANCE_${i}`, `value ${i}`])
      await expectParams(server, pairs(wanted), wanted)
    },
  },
  {
    id: 'pairs/empty',
    section: '3.4',
    level: 'must',
    requirement:
      'The server decodes pairs with an empty name, an empty value, or both, and the pairs after them.',
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
      'The server decodes a pair that is split between two records: in a length, in its name or in its value.',
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
        await expectReceived(connection, wanted, `split after ${at} bytes`)
        connection.destroy()
      }
    },
  },
  {
    id: 'pairs/byte-by-byte',
    section: '3.4',
    level: 'must',
    requirement: 'The server decodes PARAMS whose records have one byte each.',
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
      await expectReceived(connection, wanted)
    },
  },
  {
    id: 'pairs/bytes-kept',
    section: '3.4',
    level: 'must',
    requirement: 'The app receives bytes from 0x80 to 0xFF in a value unchanged.',
    async run(server) {
      const wanted: Pair[] = [['CONFORMANCE_HIGH', Array.from({ length: 128 }, (_, i) => i + 0x80)]]
      await expectParams(server, pairs(wanted), wanted)
    },
  },
  {
    id: 'pairs/names-are-data',
    section: '3.4',
    level: 'should',
    requirement: 'The names `__proto__`, `constructor` and `toString` have no special meaning.',
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
    requirement:
      'The server keeps a NUL byte in a value, or rejects the request. It never truncates the value there.',
    async run(server) {
      const connection = await server.connect()
      sendParams(connection, server, [pair('CONFORMANCE_NUL', 'a\0b')])
      const response = await connection.response(1)
      if (response.status !== 200) return
      const line = lineOf(response.body, 'CONFORMANCE_NUL')
      if (line !== hex('a\0b'))
        throw connection.unmet('the value a\\0b, or an error', `the value ${line} (hex)`)
    },
  },
  {
    id: 'pairs/too-long',
    section: '3.4',
    level: 'should',
    requirement: 'The server rejects a pair whose lengths exceed the rest of PARAMS, up to 2^31 - 1.',
    async run(server) {
      const huge = [0xff, 0xff, 0xff, 0xff]
      await expectRejected(server, [bytes(huge, huge, 'x'), bytes(huge, [1], 'x'), bytes([1], huge, 'x')])
    },
  },
  {
    id: 'pairs/cut-short',
    section: '3.4',
    level: 'should',
    requirement: 'The server rejects PARAMS that end in the middle of a pair.',
    async run(server) {
      await expectRejected(server, [
        [4],
        length(200).subarray(0, 2),
        bytes([4, 5], 'NA'),
        bytes([4, 5], 'NAMEval'),
      ])
    },
  },
]

/** Sends a request for `/params`. Its PARAMS are the usual ones, followed by these blocks, each in its own records. */
function sendParams(connection: Connection, server: Server, blocks: readonly Bytes[]): void {
  const usual = pairs(server.params('/params'))
  const records = [usual, ...blocks].map((block) => stream(TYPES.PARAMS, 1, block))
  connection.write(begin(1), ...records, record(TYPES.PARAMS, 1), record(TYPES.STDIN, 1))
}

async function expectParams(server: Server, block: Bytes, wanted: readonly Pair[]): Promise<void> {
  const connection = await server.connect()
  sendParams(connection, server, [block])
  await expectReceived(connection, wanted)
}

async function expectReceived(connection: Connection, wanted: readonly Pair[], where = ''): Promise<void> {
  const { body } = await connection.expectOk(1)
  for (const [name, value] of wanted) {
    const line = lineOf(body, name)
    if (line === hex(value)) continue
    const received = line === undefined ? 'no such param' : line === '' ? 'an empty value' : clip(line)
    throw connection.unmet(`the param ${name} as ${clip(hex(value))}${where && `, ${where}`}`, received)
  }
}

async function expectRejected(server: Server, contents: readonly Bytes[]): Promise<void> {
  for (const content of contents) {
    const connection = await server.connect()
    sendParams(connection, server, [content])
    const response = await connection.response(1).catch((error) => {
      if (!connection.ended) throw error
    })
    if (response?.status === 200) {
      throw connection.unmet(`an error for PARAMS that end in ${clip(hex(content))}`, 'a 200')
    }
    connection.destroy()
  }
}

/** The value of a param in the response of `/params`, in hexadecimal. */
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
