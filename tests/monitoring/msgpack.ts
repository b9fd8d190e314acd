/** Decodes one MessagePack value of the types that Datadog's tracer sends. */
export function decode(bytes: Buffer): unknown {
  let at = 0

  const take = (length: number): Buffer => {
    at += length
    return bytes.subarray(at - length, at)
  }
  const list = (length: number): unknown[] => Array.from({ length }, () => value())
  const map = (length: number): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length }, () => [String(value()), value()]))
  const readers: Record<number, () => unknown> = {
    192: () => null,
    194: () => false,
    195: () => true,
    196: () => take(take(1).readUInt8()),
    197: () => take(take(2).readUInt16BE()),
    202: () => take(4).readFloatBE(),
    203: () => take(8).readDoubleBE(),
    204: () => take(1).readUInt8(),
    205: () => take(2).readUInt16BE(),
    206: () => take(4).readUInt32BE(),
    207: () => take(8).readBigUInt64BE(),
    208: () => take(1).readInt8(),
    209: () => take(2).readInt16BE(),
    210: () => take(4).readInt32BE(),
    211: () => take(8).readBigInt64BE(),
    217: () => take(take(1).readUInt8()).toString(),
    218: () => take(take(2).readUInt16BE()).toString(),
    219: () => take(take(4).readUInt32BE()).toString(),
    220: () => list(take(2).readUInt16BE()),
    221: () => list(take(4).readUInt32BE()),
    222: () => map(take(2).readUInt16BE()),
    223: () => map(take(4).readUInt32BE()),
  }
  const value = (): unknown => {
    const byte = take(1).readUInt8()
    if (byte < 0x80) return byte
    if (byte < 0x90) return map(byte & 0x0f)
    if (byte < 0xa0) return list(byte & 0x0f)
    if (byte < 0xc0) return take(byte & 0x1f).toString()
    if (byte >= 0xe0) return byte - 0x100
    const read = readers[byte]
    if (read === undefined) throw new Error(`Unexpected byte 0x${byte.toString(16)} in MessagePack.`)
    return read()
  }
  return value()
}
