import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId } from '../kernel/device-id.ts';
import type { DeadLetter } from '../telemetry/telemetry-queries.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { scopedPage } from './scoped-pages.ts';

const deadLetterSchema = z
  .object({
    partition: z.number(),
    offset: z.number(),
    arrivalMs: z.number(),
    device: z.string(),
    topic: z.string(),
    code: z.string().describe('The code of the error, `telemetry.*`.'),
    reason: z.string(),
    payload: z.string().describe('Its first 1,024 bytes as text; U+FFFD stands where they are no UTF-8.'),
    payloadBase64: z.string().describe('The same bytes exactly.'),
    payloadBytes: z.number().describe('How long the whole payload was.'),
  })
  .describe('A message that could not be stored.');

const querySchema = z.strictObject({
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Messages in a page.'),
  device: z.string().optional().describe('Only messages of this device.'),
  cursor: cursorParameter,
});

type Needs = Pick<ApiDependencies, 'telemetry' | 'devices' | 'people'>;

/** What devices sent that is no telemetry, newest first. */
export function deadLetterRoutes({ telemetry, devices, people }: Needs): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/dead-letters',
      {
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'listDeadLetters',
          summary: 'List messages that could not be stored',
          tags: ['telemetry'],
          querystring: querySchema,
          response: {
            200: z
              .object({
                items: z.array(deadLetterSchema),
                cursor: z.string().optional().describe('Present when there are more.'),
              })
              .describe('Newest first.'),
            ...problems('device.invalid-id', 'telemetry.store-failed'),
          },
        },
      },
      async (request) => {
        const { limit, device } = request.query;
        const only = device === undefined ? {} : { device: parseDeviceId(device) };
        const page = await scopedPage<DeadLetter>({
          devices,
          scope: access(request).scope,
          cursor: request.query.cursor,
          sealed: people.sealedCursors,
          deviceOf: (letter) => letter.device,
          read: async (cursor) => await telemetry.deadLetters({ limit, ...only, ...(cursor === undefined ? {} : { cursor }) }),
        });
        const items = page.items.map(shown);
        return page.cursor === undefined ? { items } : { items, cursor: page.cursor };
      },
    );
  };
}

function shown(letter: DeadLetter): z.output<typeof deadLetterSchema> {
  const { payload, ...rest } = letter;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return { ...rest, payload: bytes.toString('utf8'), payloadBase64: bytes.toString('base64') };
}
