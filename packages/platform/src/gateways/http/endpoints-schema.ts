import { z } from 'zod';
import { ENDPOINT_KINDS } from './public-endpoints.ts';

export const endpointsSchema = z
  .partialRecord(z.enum(ENDPOINT_KINDS), z.string())
  .describe('URLs by kind: `mqtt`, `mqtts` (TLS), `ws`, `wss` (MQTT over WebSocket), `https`.');
