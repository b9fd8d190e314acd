import { type Bytes, bytes } from './bytes.ts'

/** A length (section 3.4) in one byte, or in four. The default is one byte below 128. */
export function length(value: number, form: 1 | 4 = value < 128 ? 1 : 4): Buffer {
  if (form === 1) return bytes([value])
  return bytes([0x80 + (value >> 24), (value >> 16) % 256, (value >> 8) % 256, value % 256])
}

/** One name-value pair (section 3.4). */
export function pair(name: Bytes, value: Bytes, nameForm?: 1 | 4, valueForm?: 1 | 4): Buffer {
  const nameBytes = bytes(name)
  const valueBytes = bytes(value)
  return bytes(
    length(nameBytes.length, nameForm),
    length(valueBytes.length, valueForm),
    nameBytes,
    valueBytes,
  )
}

/** Consecutive pairs: the content of a PARAMS stream. */
export function pairs(list: Iterable<readonly [name: Bytes, value: Bytes]>): Buffer {
  return Buffer.concat([...list].map(([name, value]) => pair(name, value)))
}

/** Reads consecutive pairs as latin1 strings. Throws a `RangeError` if the block ends in the middle of a pair. */
export function readPairs(block: Buffer): [name: string, value: string][] {
  const list: [name: string, value: string][] = []
  let at = 0
  const readLength = (): number => {
    if (block.readUInt8(at) < 0x80) return block[at++]!
    at += 4
    return block.readUInt32BE(at - 4) % 0x8000_0000
  }
  const readText = (size: number): string => {
    at += size
    if (at > block.length) throw new RangeError(`A pair needs ${at - block.length} more bytes.`)
    return block.toString('latin1', at - size, at)
  }
  while (at < block.length) {
    const nameLength = readLength()
    const valueLength = readLength()
    list.push([readText(nameLength), readText(valueLength)])
  }
  return list
}
