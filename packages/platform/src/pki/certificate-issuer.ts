import { SelsynError } from '../kernel/errors.ts';
import { Gathering } from './gathering.ts';
import type { IssuedCertificate, IssueRequest, Signing } from './signing.ts';

/** A signature costs less than a tenth of a millisecond, a request with an RSA key a little more. */
const MAX_BATCH = 64;
/** One is worked on, one is on its way. */
const MAX_UNDER_WAY = 2;
/** Some seconds of work. */
const MAX_WAITING = 10_000;

/** Has certificates signed: many by one call where many are asked for. */
export class CertificateIssuer {
  readonly #gathering: Gathering<IssueRequest, IssuedCertificate>;

  constructor(signing: Pick<Signing, 'issue'>) {
    this.#gathering = new Gathering({
      work: async (requests) =>
        (await signing.issue(requests)).map((result) =>
          'issued' in result ? result.issued : new SelsynError(result.refused.code, result.refused.message),
        ),
      maxBatch: MAX_BATCH,
      maxUnderWay: MAX_UNDER_WAY,
      maxWaiting: MAX_WAITING,
      full: () => new SelsynError('signer.busy', 'too many certificates are waiting to be signed', { retryable: true }),
    });
  }

  /** @throws SelsynError `csr.invalid`, `csr.weak-key`, `signer.busy`, `signer.unavailable` */
  async issue(request: IssueRequest): Promise<IssuedCertificate> {
    return await this.#gathering.add(request);
  }
}
