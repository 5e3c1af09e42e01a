import { expect, test } from 'bun:test'
import { ipv6Bytes, isPublicAddress } from '../../../src/media/input/address.ts'

const open = ['1.1.1.1', '8.8.8.8', '100.63.255.255', '100.128.0.0', '172.32.0.1', '192.167.1.1', '198.20.0.1', '223.255.255.255']
const open6 = ['2606:4700::1111', '2a00:1450:4001::1', '64:ff9b::808:808', '::ffff:8.8.8.8', '2002:808:808::1']
const shut = [
  ...[
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
  ],
  ...[
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
  ],
  ...['203.0.113.9', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255'],
]
const shut6 = [
  ...[
    '::',
    '::1',
    'fd00::1',
    'fd00:ec2::254',
    'fc00::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '100::1',
    '2001:db8::1',
    '2001::1',
  ],
  ...[
    '2001:10::1',
    '3fff::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:169.254.169.254',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
  ],
  ...['64:ff9b::a9fe:a9fe', '2002:7f00:1::', '2002:a00:1::1', '4000::1', '1::1'],
]

for (const address of [...open, ...open6]) test(`${address} is public`, () => expect(isPublicAddress(address)).toBe(true))
for (const address of [...shut, ...shut6]) test(`${address} is not`, () => expect(isPublicAddress(address)).toBe(false))
for (const text of ['', 'localhost', '1.2.3', '127.1', '0x7f000001', '2130706433', '1.1.1.1/8', '[::1]', ' 1.1.1.1']) {
  test(`'${text}' is no address, so not public`, () => expect(isPublicAddress(text)).toBe(false))
}

test('the bytes of an IPv6 address in every way to write it', () => {
  for (const same of ['2001:db8::102:304', '2001:0db8:0000::0102:0304', '2001:db8:0:0:0:0:1.2.3.4']) {
    expect(ipv6Bytes(same)).toEqual([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
  }
  expect(ipv6Bytes('::')).toEqual(Array(16).fill(0))
})
