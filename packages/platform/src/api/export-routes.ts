import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Scope } from '../registry/scope.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { formatSchema } from './import-schemas.ts';
import { problems } from './route-responses.ts';
import { CSV_TYPE, JSON_LINES_TYPE, sendTexts } from './text-download.ts';

/** A download may go on for minutes: whether the caller may still have it is asked every so many pieces. */
const PIECES_BETWEEN_CHECKS = 40;

const querySchema = z.strictObject({
  format: formatSchema.default('jsonl'),
  filter: z.string().min(1).max(4096).optional().describe('Text of the filter language.'),
  q: z.string().max(128).optional().describe('The id starts with this.'),
  tag: z.string().max(64).optional().describe('Only devices that have this tag.'),
  group: z.string().max(1024).optional().describe('Only devices in this group or below.'),
});

/** Taking devices out, in a form that an import takes. */
export function exportRoutes({ exportDevices }: Pick<ApiDependencies, 'exportDevices'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/device-export',
      {
        config: { permission: 'devices:read' },
        schema: {
          operationId: 'exportDevices',
          summary: 'Download devices',
          description: 'All that match, as an import takes them; without tokens, of which only hashes are kept.',
          tags: ['devices'],
          querystring: querySchema,
          response: {
            200: {
              description: 'A line for each device.',
              content: { [JSON_LINES_TYPE]: { schema: z.string() }, [CSV_TYPE]: { schema: z.string() } },
            },
            ...problems(),
          },
        },
      },
      async (request, reply) => {
        const { format, filter, q, tag, group } = request.query;
        const { scope, renew } = access(request);
        const texts = await exportDevices(format, { filter, idPrefix: q, tag, group, scope });
        return sendTexts(
          reply,
          format,
          'devices',
          whileAllowed(texts, async () => isSame(scope, (await renew())?.scope)),
        );
      },
    );
  };
}

export function isSame(scope: Scope, now: Scope | undefined): boolean {
  return now !== undefined && now.groups.join(' ') === scope.groups.join(' ');
}

/** @throws Error when the caller has lost the permission: the connection is broken off */
export async function* whileAllowed<T>(texts: AsyncIterable<T>, isAllowed: () => Promise<boolean>): AsyncGenerator<T> {
  let pieces = 0;
  for await (const text of texts) {
    pieces += 1;
    if (pieces % PIECES_BETWEEN_CHECKS === 0 && !(await isAllowed())) throw new Error('the caller may not read this any more');
    yield text;
  }
}
