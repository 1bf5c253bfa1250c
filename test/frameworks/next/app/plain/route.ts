export const GET = () => new Response('the application')
