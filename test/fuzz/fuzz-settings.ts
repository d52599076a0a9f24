/**
 * How the server is set up for a fuzz run: sessions that a mutant leaves behind do not live long, and hold little; what the server is sent
 * by mistake is over soon.
 */
export const FUZZ_SETTINGS: readonly string[] = [
  'access.mode=open',
  'gateway.threads=1',
  'mqtt.maxPacketBytes=65536',
  'mqtt.sessionExpiryMaxSec=2',
  'mqtt.maxQueuedMessages=100',
];
