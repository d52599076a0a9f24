import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { PeerId } from '../../bus/bus.ts';
import { systemClock } from '../../kernel/clock.ts';
import { newRelay, Relay } from './relay.ts';
import { SocketTransport } from './socket-transport.ts';
import { type TransportHarness, transportContract } from './transport.contract.ts';

async function listen(onSocket: (socket: Socket) => void): Promise<{ port: number; close(): Promise<void> }> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.push(socket);
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = once(server, 'close');
      for (const socket of sockets) socket.destroy();
      server.close();
      await closed;
    },
  };
}

transportContract('a socket', async () => {
  const { port, close } = await listen((socket) => harness.onTransport(new SocketTransport(socket, 'tcp')));
  const harness: TransportHarness = { port, onTransport: () => {}, [Symbol.asyncDispose]: close };
  return harness;
});

transportContract('a relay', async () => {
  const ends = newRelay(2).map(
    (seat) => new Relay({ seat, clock: systemClock, broker: { accept: (transport) => harness.onTransport(transport) } }),
  );
  for (const end of ends) end.start();
  const { port, close } = await listen((socket) => {
    socket.once('data', (first) => {
      socket.pause();
      ends[0]?.relay(1 as PeerId, new SocketTransport(socket, 'tcp'), first);
    });
  });
  const harness: TransportHarness = {
    port,
    onTransport: () => {},
    [Symbol.asyncDispose]: async () => {
      for (const end of ends) await end.close(0);
      await close();
    },
  };
  return harness;
});
