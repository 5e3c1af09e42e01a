// How requests and events travel between processes. Inside one process they do not travel.
import { choice, integer, text } from '../setting.ts'

export const planesSettings = {
  requestPlane: choice('planes', '--request-plane', 'DYN_REQUEST_PLANE', ['tcp', 'nats'], 'tcp', 'How requests reach workers'),
  eventPlane: choice('planes', '--event-plane', 'DYN_EVENT_PLANE', ['zmq', 'nats'], 'zmq', 'How KV events, loads and bookings travel'),
  rpcHost: text(
    'planes',
    '--tcp-rpc-host',
    'DYN_TCP_RPC_HOST',
    undefined,
    "Address that others reach this process at; absent: 127.0.0.1 with file and static discovery, else the machine's first address",
  ),
  rpcPort: integer('planes', '--tcp-rpc-port', 'DYN_TCP_RPC_PORT', 0, 'Port for requests; 0 takes a free one', { min: 0, max: 65535 }),
  planeBind: text(
    'planes',
    '--plane-bind',
    'DYN_PLANE_BIND',
    undefined,
    'Address to listen on for requests and events; absent: the one that others reach, or 0.0.0.0 where this machine does not have it',
  ),
  eventHost: text(
    'planes',
    '--event-plane-host',
    'DYN_EVENT_PLANE_HOST',
    undefined,
    'Address that others reach the events at; absent: that of requests',
  ),
  eventPort: integer('planes', '--event-plane-port', 'DYN_EVENT_PLANE_PORT', 0, 'Port for events; 0 takes a free one', {
    min: 0,
    max: 65535,
  }),
  planeSecret: text(
    'planes',
    '--plane-secret',
    'DYN_PLANE_SECRET',
    undefined,
    'Word that both ends of the TCP request plane must know; better given as the variable',
  ),
}
