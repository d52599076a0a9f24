import { Link } from '@tanstack/react-router';

export function NotFound() {
  return (
    <section>
      <h1>There is nothing at this address</h1>
      <p>
        <Link to="/">All devices</Link>
      </p>
    </section>
  );
}
