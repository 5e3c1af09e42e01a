// Which IP addresses are on the public internet. Everything else may be a neighbour that trusts us: metadata services, databases, routers.
import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** IANA's special-purpose registry for IPv4 (RFC 6890 and later), multicast, and the cloud metadata address that is public by number. */
const special4 = list('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
])

/** Of IPv6 only this is global unicast; what lies outside (loopback, unique local, link local, multicast) needs no list. */
const global6 = list('ipv6', [['2000::', 3]])
const special6 = list('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
])

/** Prefixes that carry an IPv4 address: mapped, NAT64 (RFC 6052), 6to4; and the byte where it begins. The address inside decides. */
const carriers: readonly [prefix: BlockList, at: number][] = [
  [list('ipv6', [['::ffff:0:0', 96]]), 12],
  [list('ipv6', [['64:ff9b::', 96]]), 12],
  [list('ipv6', [['2002::', 16]]), 2],
]

/** False for everything that is no plain IP address (names, zone ids). */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special4.check(address, 'ipv4')
  if (!isIPv6(address) || address.includes('%')) return false
  const bytes = ipv6Bytes(address)
  for (const [prefix, at] of carriers) {
    if (prefix.check(address, 'ipv6')) return isPublicAddress(bytes.slice(at, at + 4).join('.'))
  }
  return global6.check(address, 'ipv6') && !special6.check(address, 'ipv6')
}

/** The 16 bytes of a valid IPv6 address. */
export function ipv6Bytes(address: string): number[] {
  // The URL parser writes every form as groups of hex.
  const plain = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const [head = '', tail] = plain.split('::') as [string, string?]
  const groups = (text: string | undefined) => (text ? text.split(':') : [])
  const missing = 8 - groups(head).length - groups(tail).length
  const all = tail === undefined ? groups(head) : [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
  return all.flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 255]
  })
}

function list(family: 'ipv4' | 'ipv6', ranges: readonly [net: string, bits: number][]): BlockList {
  const blocked = new BlockList()
  for (const [net, bits] of ranges) blocked.addSubnet(net, bits, family)
  return blocked
}
