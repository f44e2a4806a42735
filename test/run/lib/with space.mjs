export default 'spaced';
