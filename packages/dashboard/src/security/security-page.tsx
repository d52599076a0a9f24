import { useWho } from '../session/who.ts';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { Authorities } from './authorities.tsx';
import { Certificates } from './certificates.tsx';
import { CheckReport } from './check-report.tsx';

/** What somebody who answers for the fleet looks at every day. */
export function SecurityPage() {
  const { may, mayEverywhere } = useWho();
  if (!may('certificates:read') && !may('checks:read')) return <NotAllowed permission="certificates:read" />;
  return (
    <>
      <h1>Security</h1>
      {may('checks:read') && <CheckReport />}
      {may('certificates:read') && <Certificates />}
      {mayEverywhere('certificates:read') && <Authorities />}
    </>
  );
}
