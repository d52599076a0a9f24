import { z } from 'zod';

/** Settings of edge nodes that speak Sparkplug B. */
export const SPARKPLUG_SETTINGS = z
  .strictObject({
    hostId: z
      .string()
      .regex(/^[^+#/\0]{0,128}$/, 'must be a host id: no + # /')
      .default('selsyn')
      .describe(
        'Host application id: `spBv1.0/STATE/{hostId}` tells edge nodes whether this server is there, retained. Empty: nothing is told.',
      ),
    register: z
      .stringbool()
      .or(z.boolean())
      .prefault(true)
      .describe('Whether nodes and devices that were born and are not known are registered, in the group of their node.'),
  })
  .prefault({});
